"""report.html: one file for a person to look at, with no network behind it."""

from any3dis_ros.objects.report.page import render_report, write_report

__all__ = ["render_report", "write_report"]
