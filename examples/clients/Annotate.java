import java.io.IOException;
import java.io.PrintStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A client of medspan serve in one file; needs a JDK of version 17 or newer and nothing else.
 *
 * <pre>
 * java Annotate.java URL annotate FILE...       entities: file, start, end, label, mention
 * java Annotate.java URL stream FILE.jsonl      {"id", "text"} a line; an answer a line, as it comes
 * java Annotate.java URL deidentify FILE...     the text without what identifies people
 * </pre>
 *
 * The key, where the service wants one, is read from the environment (MEDSPAN_KEY). Offsets are asked for in
 * UTF-16, which is what {@code String.substring} counts.
 */
public final class Annotate {
    private static final Set<String> VERBS = Set.of("annotate", "stream", "deidentify");
    private static final int TRIES = 6;
    private static final Set<Integer> BUSY = Set.of(429, 503);

    private final HttpClient client = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(10))
            .build();
    private final URI service;
    private final String key;

    private Annotate(String service, String key) {
        this.service = URI.create(service.endsWith("/") ? service : service + "/");
        this.key = key;
    }

    public static void main(String[] words) throws InterruptedException {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        if (words.length < 3 || !VERBS.contains(words[1])) {
            System.err.println("java Annotate.java URL annotate|stream|deidentify FILE...");
            System.exit(2);
        }
        Annotate medspan = new Annotate(words[0], System.getenv("MEDSPAN_KEY"));
        try {
            for (String file : Arrays.copyOfRange(words, 2, words.length)) {
                medspan.work(words[1], Path.of(file), out);
            }
        } catch (IOException | IllegalArgumentException error) {
            System.err.println(error.getMessage());
            System.exit(1);
        }
    }

    private void work(String verb, Path file, PrintStream out) throws IOException, InterruptedException {
        switch (verb) {
            case "annotate" -> {
                String text = read(file);
                for (Entity entity : annotate(text)) {
                    String mention = text.substring(entity.start, entity.end);
                    out.println(String.join("\t", file.getFileName().toString(), Integer.toString(entity.start),
                            Integer.toString(entity.end), entity.label, mention.replaceAll("\\s+", " ")));
                }
            }
            case "stream" -> stream(file, out);
            default -> out.print(deidentify(read(file)));
        }
    }

    /** The text of a file as it stands; what is no UTF-8 is refused, for offsets would not fit it. */
    private static String read(Path file) throws IOException {
        try {
            return Files.readString(file);
        } catch (CharacterCodingException error) {
            throw new IOException(file + ": is not UTF-8", error);
        } catch (IOException error) {
            throw new IOException(file + ": cannot be read", error);
        }
    }

    /** A mention; offsets are of UTF-16, half-open; some mentions have no score. */
    record Entity(int start, int end, String label, Double score) {}

    /** The entities of a text. */
    List<Entity> annotate(String text) throws IOException, InterruptedException {
        Map<String, Object> document = only(ask("v1/annotate", Map.of("text", text, "offsets", "utf16")));
        List<Entity> entities = new ArrayList<>();
        for (Object each : (List<?>) document.get("entities")) {
            Map<?, ?> value = (Map<?, ?>) each;
            int start = ((Double) value.get("start")).intValue();
            int end = ((Double) value.get("end")).intValue();
            entities.add(new Entity(start, end, (String) value.get("label"), (Double) value.get("score")));
        }
        return entities;
    }

    /** A text without what identifies people. */
    String deidentify(String text) throws IOException, InterruptedException {
        return (String) only(ask("v1/deidentify", Map.of("text", text, "policy", "redact"))).get("text");
    }

    /** Sends a file of documents, one JSON object a line, and writes each answer when it comes. */
    void stream(Path file, PrintStream out) throws IOException, InterruptedException {
        BodyPublisher body = BodyPublishers.ofFile(file);
        HttpResponse<Stream<String>> answer =
                send("v1/annotate?offsets=utf16", "application/x-ndjson", body, BodyHandlers.ofLines());
        try (Stream<String> lines = answer.body()) {
            if (answer.statusCode() != 200) {
                throw problem(answer.statusCode(), lines.collect(Collectors.joining("\n")));
            }
            long failed = lines.peek(out::println).filter(line -> line.startsWith("{\"error\":")).count();
            if (failed > 0) {
                throw new IOException(failed + " documents could not be annotated: see the lines with an error");
            }
        }
    }

    private Map<?, ?> ask(String path, Map<String, String> question) throws IOException, InterruptedException {
        String body = question.entrySet().stream()
                .map(entry -> Json.quoted(entry.getKey()) + ":" + Json.quoted(entry.getValue()))
                .collect(Collectors.joining(",", "{", "}"));
        HttpResponse<String> answer = send(path, "application/json", BodyPublishers.ofString(body),
                BodyHandlers.ofString(StandardCharsets.UTF_8));
        if (answer.statusCode() != 200) {
            throw problem(answer.statusCode(), answer.body());
        }
        return (Map<?, ?>) Json.parse(answer.body());
    }

    /** Sends a request; where the service is busy, waits as long as it says and tries again. */
    private <T> HttpResponse<T> send(String path, String type, BodyPublisher body, HttpResponse.BodyHandler<T> handler)
            throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(service.resolve(path))
                .timeout(Duration.ofMinutes(5))
                .header("Content-Type", type)
                .POST(body);
        if (key != null && !key.isEmpty()) {
            request.header("Authorization", "Bearer " + key);
        }
        for (int attempt = 1; ; attempt++) {
            HttpResponse<T> answer = answer(request.build(), handler);
            if (!BUSY.contains(answer.statusCode()) || attempt == TRIES) {
                return answer;
            }
            if (answer.body() instanceof Stream<?> unread) {
                unread.close();
            }
            Thread.sleep(waitMillis(answer, attempt));
        }
    }

    private <T> HttpResponse<T> answer(HttpRequest request, HttpResponse.BodyHandler<T> handler)
            throws IOException, InterruptedException {
        try {
            return client.send(request, handler);
        } catch (ConnectException | HttpConnectTimeoutException error) { // which have no message of their own
            throw new IOException(service + ": cannot be reached", error);
        }
    }

    /** What the service asks for, else a time that doubles; both with a little chance, so that clients part. */
    private static long waitMillis(HttpResponse<?> answer, int attempt) {
        long seconds = answer.headers().firstValue("Retry-After")
                .filter(value -> value.matches("\\d{1,4}"))
                .map(Long::parseLong)
                .orElse(1L << (attempt - 1));
        return 1000 * seconds + ThreadLocalRandom.current().nextLong(250);
    }

    /** The only document of an answer; a document that failed is an error. */
    @SuppressWarnings("unchecked")
    private static Map<String, Object> only(Map<?, ?> answer) throws IOException {
        List<?> documents = (List<?>) answer.get("documents");
        if (documents.isEmpty()) {
            throw new IOException("the document could not be worked on: " + answer.get("errors"));
        }
        return (Map<String, Object>) documents.get(0);
    }

    private static IOException problem(int status, String body) {
        if (Json.parse(body) instanceof Map<?, ?> problem) {
            return new IOException(status + " " + problem.get("title") + ": " + problem.get("detail")
                    + " (request " + problem.get("request_id") + ")");
        }
        return new IOException(Integer.toString(status));
    }

    /** As much JSON as answers need: objects are maps, arrays lists, numbers doubles. */
    static final class Json {
        private final String source;
        private int at;

        private Json(String source) {
            this.source = source;
        }

        static Object parse(String source) {
            Json json = new Json(source);
            Object value = json.value();
            json.blanks();
            if (json.at != source.length()) {
                throw json.malformed();
            }
            return value;
        }

        static String quoted(String text) {
            StringBuilder quoted = new StringBuilder("\"");
            for (char unit : text.toCharArray()) {
                if (unit < ' ' || unit == '"' || unit == '\\' || Character.isSurrogate(unit)) {
                    quoted.append(String.format("\\u%04x", (int) unit));
                } else {
                    quoted.append(unit);
                }
            }
            return quoted.append('"').toString();
        }

        private Object value() {
            blanks();
            if (at == source.length()) {
                throw malformed();
            }
            return switch (source.charAt(at)) {
                case '{' -> object();
                case '[' -> array();
                case '"' -> string();
                case 't' -> literal("true", true);
                case 'f' -> literal("false", false);
                case 'n' -> literal("null", null);
                default -> number();
            };
        }

        private Map<String, Object> object() {
            Map<String, Object> found = new LinkedHashMap<>();
            at++;
            if (isNext('}')) {
                return found;
            }
            do {
                blanks();
                String name = string();
                if (!isNext(':')) {
                    throw malformed();
                }
                found.put(name, value());
            } while (isNext(','));
            if (!isNext('}')) {
                throw malformed();
            }
            return found;
        }

        private List<Object> array() {
            List<Object> found = new ArrayList<>();
            at++;
            if (isNext(']')) {
                return found;
            }
            do {
                found.add(value());
            } while (isNext(','));
            if (!isNext(']')) {
                throw malformed();
            }
            return found;
        }

        private String string() {
            StringBuilder found = new StringBuilder();
            if (!isNext('"')) {
                throw malformed();
            }
            while (at < source.length() && source.charAt(at) != '"') {
                char unit = source.charAt(at++);
                found.append(unit == '\\' ? escaped() : unit);
            }
            if (at++ >= source.length()) {
                throw malformed();
            }
            return found.toString();
        }

        private char escaped() {
            if (at >= source.length()) {
                throw malformed();
            }
            char unit = source.charAt(at++);
            if (unit == 'u' && at + 4 <= source.length()) {
                at += 4;
                return (char) Integer.parseInt(source.substring(at - 4, at), 16);
            }
            int place = "bfnrt".indexOf(unit);
            return place < 0 ? unit : "\b\f\n\r\t".charAt(place);
        }

        private Double number() {
            int first = at;
            while (at < source.length() && "+-.eE0123456789".indexOf(source.charAt(at)) >= 0) {
                at++;
            }
            if (first == at) {
                throw malformed();
            }
            return Double.valueOf(source.substring(first, at));
        }

        private Object literal(String word, Object value) {
            if (!source.startsWith(word, at)) {
                throw malformed();
            }
            at += word.length();
            return value;
        }

        private boolean isNext(char wanted) {
            blanks();
            boolean found = at < source.length() && source.charAt(at) == wanted;
            at += found ? 1 : 0;
            return found;
        }

        private void blanks() {
            while (at < source.length() && " \t\r\n".indexOf(source.charAt(at)) >= 0) {
                at++;
            }
        }

        private IllegalArgumentException malformed() {
            return new IllegalArgumentException("the answer is not JSON (character " + at + ")");
        }
    }
}
