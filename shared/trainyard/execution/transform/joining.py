"""DataProcessing: what of each record is sent, and what of it stands beside the answer in the output.

Sources: AWS, "Associate Prediction Results with Input Records", and "Capture data from batch transform job" for the
inference identifiers. CSV rows are lists of texts; JSON and JSON Lines are one value after the other.
"""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from trainyard.errors import DataError
from trainyard.execution.transform.jsonpath import JsonPath
from trainyard.execution.transform.splitting import Record

Format = Literal["csv", "json", "other"]

_DECODER = json.JSONDecoder()


def format_of(content_type: str) -> Format:
    """By its MIME type, parameters left out."""
    kind = content_type.partition(";")[0].strip().lower()
    kinds: dict[str, Format] = {
        "text/csv": "csv", "application/json": "json", "application/jsonlines": "json",
    }  # fmt: skip
    return kinds.get(kind, "other")


@dataclass(frozen=True, kw_only=True)
class Joining:
    """``takes`` and ``gives`` are the formats of input and output; ``stamp``, where there is one, is the time that
    stands with a new inference identifier at each record of the output."""

    input_filter: JsonPath
    output_filter: JsonPath
    join: bool
    takes: Format
    gives: Format
    stamp: str = ""

    @property
    def answers_as_they_are(self) -> bool:
        return self.output_filter.whole and not self.join and not self.stamp

    def requests(self, records: Iterable[Record]) -> Iterator[tuple[bytes, Record]]:
        """Each record as it was, and as it is to be sent. Raises DataError for one that cannot be filtered."""
        for number, record in enumerate(records, 1):
            if self.input_filter.whole:
                yield record.payload, record
                continue
            try:
                values = [self.input_filter.select(value) for value in read(record.payload, self.takes)]
            except DataError as error:
                raise DataError(f"record {number}: InputFilter: {error}") from None
            sent = write(values, self.takes)
            yield record.payload, Record(sent, sent + b"\n")

    def output(self, records: Sequence[bytes], answer: bytes) -> bytes:
        """What is stored for an answer to these records. Raises DataError where the two do not fit together."""
        if self.answers_as_they_are:
            return answer
        given = read(answer, self.gives)
        if self.join:
            given = self._joined([value for record in records for value in read(record, self.takes)], given)
        try:
            given = [self.output_filter.select(value) for value in given]
        except DataError as error:
            raise DataError(f"OutputFilter: {error}") from None
        return write([self._stamped(value) for value in given], self.gives)

    def _joined(self, inputs: list[Any], given: list[Any]) -> list[Any]:
        if len(given) == 1 != len(inputs) and isinstance(given[0], list) and self.gives == "json":
            given = given[0]  # one array that answers all records
        if len(given) != len(inputs):
            raise DataError(
                f"the answer has {len(given)} records for {len(inputs)}, so they cannot be joined; the container "
                "must answer each record by one, or set BatchStrategy to SingleRecord"
            )
        if self.gives == "csv":
            return [row + answer for row, answer in zip(inputs, given, strict=True)]
        return [_as_object(value) | {"SageMakerOutput": answer}
                for value, answer in zip(inputs, given, strict=True)]  # fmt: skip

    def _stamped(self, value: Any) -> Any:
        if not self.stamp:
            return value
        identifier = str(uuid.uuid4())
        if self.gives == "csv":
            return [*(value if isinstance(value, list) else [value]), identifier, self.stamp]
        named = value if isinstance(value, dict) else {"SageMakerOutput": value}
        return {**named, "SageMakerInferenceId": identifier, "SageMakerInferenceTime": self.stamp}


def read(data: bytes, kind: Format) -> list[Any]:
    """The rows or values in some bytes. Raises DataError where they are not of this format."""
    try:
        text = data.decode("utf-8-sig")
        if kind == "csv":
            return [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
        return list(_values(text))
    except (ValueError, csv.Error, RecursionError) as error:
        shown = data[:60].decode(errors="replace")
        raise DataError(f"not {'CSV' if kind == 'csv' else 'JSON'}: {shown!r} ({error})") from None


def write(values: Iterable[Any], kind: Format) -> bytes:
    """One line each, without a newline at the end."""
    if kind == "csv":
        text = io.StringIO(newline="")
        rows = csv.writer(text, lineterminator="\n")
        rows.writerows(value if isinstance(value, list) else [value] for value in values)
        return text.getvalue().removesuffix("\n").encode()
    lines = [json.dumps(value, ensure_ascii=False, separators=(",", ":")) for value in values]
    return "\n".join(lines).encode(errors="surrogatepass")


def _values(text: str) -> Iterator[Any]:
    position = 0
    while position < len(text):
        if text[position] in " \t\r\n":
            position += 1
            continue
        value, position = _DECODER.raw_decode(text, position)
        yield value


def _as_object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"SageMakerInput": value}
