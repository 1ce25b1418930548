"""Checks an export of the audit trail: python verify_audit.py FILE.jsonl|FILE.csv [POSITION:DIGEST noted elsewhere]"""

import csv
import hashlib
import json
import sys
from pathlib import Path

FIELDS = ("position", "at", "actor", "action", "subject", "detail", "door", "address", "via")
noted, last, faults = (*sys.argv[2:], ":")[0].split(":"), None, []
with Path(sys.argv[1]).open(encoding="utf-8-sig", newline="") as file:
    for row in map(json.loads, file) if sys.argv[1].endswith(".jsonl") else csv.DictReader(file):
        if isinstance(row["detail"], str):  # the cells of a spreadsheet are all text
            row = {name: cell[1:] if cell[:1] == "'" else cell or None for name, cell in row.items()}
            row |= {name: json.loads(row[name]) for name in ("position", "detail", "via")}
        place, before, edge = row["position"], last or row, row["action"] in ("export_begins", "export_ends")
        text = json.dumps(
            {name: row[name] for name in FIELDS}, ensure_ascii=False, sort_keys=True, separators=(",", ":")
        )
        digest = before["digest"] if edge else hashlib.sha256(f"{before['digest']}\n{text}".encode()).hexdigest()
        follows = (last is None) == (row["action"] == "export_begins") and before["action"] != "export_ends"
        if not follows or place != before["position"] + (not edge) or row["digest"] != digest:
            faults.append(f"entry {place}: changed, or not what followed entry {before['position']}")
        if noted[0] == str(place) and noted[1] != row["digest"]:
            faults.append(f"entry {place}: not the one that was noted")
        last = row
if last is None or last["action"] != "export_ends" or int(noted[0] or 0) > last["position"]:
    faults.append(f"entry {last and last['position']}: what follows is cut off")
sys.exit("\n".join(faults) or (sys.stdout.write("whole\n") and None))
