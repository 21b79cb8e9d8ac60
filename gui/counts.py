"""Counts in words: "1 image", "1,234 images". Knows no widget."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication


def counted(count: int, one: str, many: str) -> str:
    """`one` as it is, `many` with "{}" for the number."""
    return one if count == 1 else many.format(f"{count:,}")


def images(count: int) -> str:
    """ "1 image", "2 images"."""
    return counted(count, _translated("1 image"), _translated("{} images"))


def instances(count: int) -> str:
    """ "1 instance", "2 instances"."""
    return counted(count, _translated("1 instance"), _translated("{} instances"))


def proposals(count: int) -> str:
    """ "1 proposal", "2 proposals"."""
    return counted(count, _translated("1 proposal"), _translated("{} proposals"))


def _translated(text: str) -> str:
    return QCoreApplication.translate("Words", text)
