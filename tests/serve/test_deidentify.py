"""/v1/deidentify: names go, changes point to where they were, and policies can be bent for one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx


LETTER = "😀 Dear Dr Anna Berg, I saw Mr John Smith on 03/04/2021. His phone is 555-123-4567."


def asked(client: httpx.Client, **body: object) -> dict[str, Any]:
    answer = client.post("/v1/deidentify", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("offsets", ["codepoint", "utf16"])
@pytest.mark.parametrize("policy", ["redact", "surrogate"])
def test_changes_point_into_both_texts(client: httpx.Client, policy: str, offsets: str) -> None:
    answer = asked(client, text=LETTER, policy=policy, offsets=offsets)
    (document,) = answer["documents"]
    width, code = (2, "utf-16-le") if offsets == "utf16" else (4, "utf-32-le")
    old, new = LETTER.encode(code), document["text"].encode(code)
    removed = {
        old[width * each["start"] : width * each["end"]].decode(code): each for each in document["changes"]
    }
    assert {"Anna Berg", "John Smith", "03/04/2021", "555-123-4567"} <= set(removed)
    rebuilt, at = b"", 0
    for each in document["changes"]:  # with the old words back in their new places, the text is the old one
        rebuilt += new[at : width * each["new_start"]] + old[width * each["start"] : width * each["end"]]
        at = width * each["new_end"]
    assert rebuilt + new[at:] == old
    assert "Berg" not in document["text"]
    assert answer["policy"] == policy
    assert document["meta"]["deid"]["NAME"] == 2


def test_an_action_can_be_another_for_one_request(client: httpx.Client) -> None:
    (document,) = asked(client, text=LETTER, actions={"DATE": "keep"})["documents"]
    assert "03/04/2021" in document["text"]
    assert "Berg" not in document["text"]


def test_surrogates_are_the_same_in_all_workers(client: httpx.Client) -> None:
    found = {asked(client, text=LETTER, policy="surrogate")["documents"][0]["text"] for _ in range(20)}
    assert len(found) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"text": LETTER, "policy": "SECRET"},
        {"text": LETTER, "actions": {"SECRET": "keep"}},
        {"text": LETTER, "actions": {"DATE": "SECRET"}},
        {"text": LETTER, "actions": {"NAME": "generalise"}},
        {"text": LETTER, "key": "SECRET"},
    ],
)
def test_what_is_not_offered_is_refused(client: httpx.Client, body: dict[str, object]) -> None:
    answer = client.post("/v1/deidentify", json=body)
    assert answer.status_code == 422
    assert "SECRET" not in answer.text
    assert "Berg" not in answer.text
