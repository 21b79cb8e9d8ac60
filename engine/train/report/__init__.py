"""A folder that shows a measurement: a page, its pictures, and the figures as JSON.

`report.html` is whole by itself: it can be passed on alone. matplotlib is imported when a report is written.
"""

from __future__ import annotations

from engine.train.report.comparison import write_comparison
from engine.train.report.figures import Measurement, compared, figures
from engine.train.report.folder import check_writable
from engine.train.report.single import write_report

__all__ = ["Measurement", "check_writable", "compared", "figures", "write_comparison", "write_report"]
