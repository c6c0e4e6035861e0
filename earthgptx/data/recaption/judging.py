"""One reply made into an outcome: an answer that agrees with the labels, or the reasons why it does not.

A reply and its subject come in. It knows neither files nor costs.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from earthgptx.data.quarantine import BrokenItem
from earthgptx.data.recaption.reply import Reply
from earthgptx.data.recaption.schema import Answer, AnswerRefused, parse_answer
from earthgptx.data.recaption.subject import Subject
from earthgptx.data.recaption.verify import reasons_against


@dataclass(frozen=True)
class Outcome:
    """An answer to be written, or reasons against it; neither for a question that was not asked.

    Attributes:
        answer: agrees with the labels.
        reasons: a sentence each.
        stage: where it failed: "image" (its file), "request" (no answer came) or "answer".
        text: the refused answer as it came.
    """

    answer: Answer | None = None
    reasons: tuple[str, ...] = ()
    stage: str = ""
    text: str = ""


def judged(subject: Subject, reply: Reply, classes: Collection[str]) -> Outcome:
    """The answer if it is whole, in the schema's form and in agreement with the labels, else what it is not.

    Args:
        subject: what was shown.
        reply: what came back.
        classes: as in `verify.reasons_against`.
    """
    if reply.finish_reason not in ("stop", "length"):
        reason = f"The model gave no answer: it stopped for {reply.finish_reason!r}."
        return Outcome(reasons=(reason,), stage="answer", text=reply.text)
    try:
        answer = parse_answer(reply.text)
    except AnswerRefused as error:
        cut = " The answer was cut at its largest length; --max-output-tokens allows more."
        reason = str(error) + (cut if reply.finish_reason == "length" else "")
        return Outcome(reasons=(reason,), stage="answer", text=reply.text)
    reasons = reasons_against(answer, subject, classes)
    if reasons:
        return Outcome(reasons=reasons, stage="answer", text=reply.text)
    return Outcome(answer=answer)


def reject_record(subject: Subject, outcome: Outcome, key: str) -> dict[str, Any]:
    """The line of the rejects file for an outcome without answer."""
    return {
        "id": subject.image.id,
        "image": subject.image.path.as_posix(),
        "labels": dict(sorted(subject.counts.items())),
        "stage": outcome.stage,
        "reasons": list(outcome.reasons),
        "answer": outcome.text,
        "key": key,
    }


def broken_record(item: BrokenItem) -> dict[str, Any]:
    """The line of the rejects file for what a data set's own files hold that cannot be used."""
    return {
        "id": item.item,
        "image": "",
        "labels": {},
        "stage": "labels",
        "reasons": [item.reason],
        "answer": "",
        "key": "",
    }
