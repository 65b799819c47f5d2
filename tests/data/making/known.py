"""What is known of the files that these scripts did not make; README.md says who did."""

from typing import Any

from tests.data.making.made import Truth

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def truths() -> dict[str, Truth]:
    return {
        "weather.csv": {
            "kind": "table",
            "media_type": "text/csv",
            "encoding": "utf-8",
            "duplicate_rows": 1,
            "tables": [
                _table(
                    "weather",
                    731,
                    {
                        "date": "date",
                        "station": "text",
                        "temperature_c": "number",
                        "humidity_percent": "integer",
                        "rain_mm": "number",
                        "wind_kmh": "number",
                    },
                    rain_mm={"missing": 7},
                    wind_kmh={"maximum": 148.0},
                    date={"minimum": "2025-01-01", "maximum": "2025-12-31"},
                )
            ],
        },
        "planets.xlsx": {
            "kind": "table",
            "media_type": XLSX,
            "table_rows": [8, 9],
            "metadata": {"worksheets": 2},
        },
        "elements.json": {"kind": "table", "media_type": "application/json", "table_rows": [36]},
        "settings.json": {"kind": "text", "media_type": "application/json"},
        "declaration.pdf": {
            "kind": "text",
            "media_type": "application/pdf",
            "words": 1335,
            "metadata": {"page_count": 3},
            "properties": {"title": "Declaration of Independence"},
            "places": ["page 1", "page 2", "page 3"],
            "passages": [{"place": "page 1", "contains": "IN CONGRESS, July 4, 1776."}],
        },
        "annual-report.docx": {
            "kind": "text",
            "media_type": DOCX,
            "table_rows": [2],
            "passages": [{"place": "Wind", "contains": "148 km/h"}],
        },
        "gettysburg.txt": {
            "kind": "text",
            "media_type": "text/plain",
            "encoding": "utf-8",
            "words": 278,
            "passages": [{"place": "line 1", "contains": "Four score and seven years ago"}],
        },
        "rain-gauge.md": {
            "kind": "text",
            "media_type": "text/markdown",
            "passages": [
                {
                    "place": "Reading a rain gauge > Taking a reading",
                    "contains": "less than 0.05 mm; trace",
                }
            ],
        },
        "encrypted.pdf": {"fault": "encrypted"},
        "scanned.pdf": {"fault": "no_text"},
    }


def _table(name: str, rows: int, types: dict[str, str], **columns: dict[str, Any]) -> Truth:
    return {"name": name, "place": "", "rows": rows, "types": types, "columns": columns}
