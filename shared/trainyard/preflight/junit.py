"""Results as JUnit XML, which CodeBuild's test reports read: one case per check."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

from trainyard.preflight.checks import Result

# what XML 1.0 cannot hold, though a log may
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(file: Path, suite: str, results: Sequence[Result]) -> None:
    """Source: AWS CodeBuild User Guide, "Test report file formats". Warnings are in a case's output."""
    failed, skipped = sum(each.failed for each in results), sum(bool(each.skipped) for each in results)
    top = ElementTree.Element(
        "testsuite", name=suite, tests=str(len(results)), failures=str(failed), skipped=str(skipped)
    )
    for result in results:
        case = ElementTree.SubElement(
            top, "testcase", classname=suite, name=result.name, time=f"{result.seconds:.3f}"
        )
        texts = [_clean(f"{each.severity} {each.rule}: {each.message}") for each in result.findings]
        if result.failed:
            first = next(each for each in result.findings if each.severity == "error")
            ElementTree.SubElement(case, "failure", message=_clean(first.message)).text = "\n".join(texts)
        elif result.skipped:
            ElementTree.SubElement(case, "skipped", message=result.skipped)
        elif texts:
            ElementTree.SubElement(case, "system-out").text = "\n".join(texts)
    file.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(top).write(file, encoding="utf-8", xml_declaration=True)


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
