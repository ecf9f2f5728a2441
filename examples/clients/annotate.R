#!/usr/bin/env Rscript
# A client of medspan serve; needs the packages curl and jsonlite (Debian: r-cran-curl r-cran-jsonlite).
#
#     Rscript annotate.R URL annotate FILE...       entities: file, start, end, label, mention
#     Rscript annotate.R URL stream FILE.jsonl      {"id", "text"} a line; an answer a line, as it comes
#     Rscript annotate.R URL deidentify FILE...     the text without what identifies people
#
# The key, where the service wants one, is read from the environment (MEDSPAN_KEY). Offsets are code points,
# which is what R's substr counts, from 0 and half-open: substr(text, start + 1, end).

tries <- 6L
busy <- c(429L, 503L)

# A handle for a POST of raw bytes.
post_handle <- function(type, body) {
  handle <- curl::new_handle()
  curl::handle_setopt(handle, post = TRUE, postfields = body, postfieldsize = length(body))
  headers <- list(`Content-Type` = type, Expect = "")
  key <- Sys.getenv("MEDSPAN_KEY")
  if (nzchar(key)) headers$Authorization <- paste("Bearer", key)
  do.call(curl::handle_setheaders, c(list(handle), headers))
  handle
}

# What the service asks for, else a time that doubles; both with a little chance, so that clients part.
wait_seconds <- function(headers, attempt) {
  asked <- curl::parse_headers_list(headers)[["retry-after"]]
  is_number <- !is.null(asked) && grepl("^[0-9]{1,4}$", asked)
  (if (is_number) as.numeric(asked) else 2^(attempt - 1)) + stats::runif(1, 0, 0.25)
}

# The answer to a request; where the service is busy, waits as long as it says and tries again.
# With on_bytes, bytes of a good answer are given to it as they come.
send <- function(url, type, body, on_bytes = NULL) {
  for (attempt in seq_len(tries)) {
    handle <- post_handle(type, body)
    if (is.null(on_bytes)) {
      answer <- curl::curl_fetch_memory(url, handle)
      content <- answer$content
    } else {
      content <- raw()
      answer <- curl::curl_fetch_stream(url, function(bytes) {
        if (curl::handle_data(handle)$status_code == 200L) on_bytes(bytes) else content <<- c(content, bytes)
      }, handle)
    }
    if (answer$status_code == 200L) return(content)
    if (!(answer$status_code %in% busy) || attempt == tries) break
    Sys.sleep(wait_seconds(answer$headers, attempt))
  }
  problem <- tryCatch(jsonlite::fromJSON(as_text(content)), error = function(error) list())
  stop(sprintf(
    "%d %s: %s (request %s)", answer$status_code, format(problem$title), format(problem$detail),
    format(problem$request_id)
  ), call. = FALSE)
}

as_text <- function(bytes) {
  text <- rawToChar(bytes)
  Encoding(text) <- "UTF-8"
  text
}

read_bytes <- function(file) {
  if (file.access(file, 4L) != 0L) stop(file, ": cannot be read", call. = FALSE)
  readBin(file, "raw", file.size(file))
}

# The text of a file as it stands; what is no UTF-8 is refused, for offsets would not fit it.
read_text <- function(file) {
  text <- as_text(read_bytes(file))
  if (!validUTF8(text)) stop(file, ": is not UTF-8", call. = FALSE)
  text
}

as_body <- function(question) charToRaw(enc2utf8(as.character(jsonlite::toJSON(question, auto_unbox = TRUE))))

# The only document of an answer.
ask <- function(service, path, question) {
  content <- send(paste0(service, path), "application/json", as_body(question))
  answer <- jsonlite::fromJSON(as_text(content), simplifyVector = FALSE)
  if (length(answer$documents) == 0L) {
    stop("the document could not be worked on: ", answer$errors[[1]]$reason, call. = FALSE)
  }
  answer$documents[[1]]
}

# The entities of a text: a data frame with label, start, end and mention.
annotate <- function(service, text) {
  entities <- ask(service, "v1/annotate", list(text = text))$entities
  part <- function(name, kind) vapply(entities, function(entity) entity[[name]], kind)
  start <- part("start", 0L)
  end <- part("end", 0L)
  mention <- if (length(entities) > 0L) substring(text, start + 1L, end) else character()
  data.frame(start = start, end = end, label = part("label", ""), mention = mention)
}

# A text without what identifies people.
deidentify <- function(service, text) {
  ask(service, "v1/deidentify", list(text = text, policy = "redact"))$text
}

# Send a file of documents, one JSON object a line; on_line is called with each line of the answer as it comes.
stream <- function(service, file, on_line) {
  rest <- raw()
  body <- read_bytes(file)
  send(paste0(service, "v1/annotate"), "application/x-ndjson", body, function(bytes) {
    rest <<- c(rest, bytes)
    ends <- which(rest == as.raw(10L))
    starts <- c(1L, ends + 1L)
    for (i in seq_along(ends)) on_line(as_text(rest[starts[i]:ends[i]]))
    rest <<- utils::tail(rest, length(rest) - max(ends, 0L))
  })
  invisible()
}

main <- function(words) {
  verbs <- c("annotate", "stream", "deidentify")
  if (length(words) < 3L || !(words[2] %in% verbs)) {
    message("Rscript annotate.R URL annotate|stream|deidentify FILE...")
    quit(status = 2L)
  }
  service <- sub("/?$", "/", words[1])
  for (file in words[-(1:2)]) {
    switch(words[2],
      annotate = {
        found <- annotate(service, read_text(file))
        found$mention <- gsub("[[:space:]]+", " ", found$mention)
        rows <- with(found, paste(start, end, label, mention, sep = "\t"))
        if (length(rows) > 0L) cat(paste(basename(file), rows, sep = "\t"), sep = "\n")
      },
      stream = {
        failed <- 0L
        stream(service, file, function(line) {
          cat(line)
          failed <<- failed + startsWith(line, "{\"error\":")
        })
        if (failed > 0L) stop(failed, " documents could not be annotated: see the lines with an error", call. = FALSE)
      },
      deidentify = cat(deidentify(service, read_text(file)))
    )
  }
}

if (sys.nframe() == 0L) {
  tryCatch(main(commandArgs(trailingOnly = TRUE)), error = function(error) {
    message(conditionMessage(error))
    quit(status = 1L)
  })
}
