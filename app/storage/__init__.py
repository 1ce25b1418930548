"""How Awase keeps its data: tables, one repository per aggregate, unit of work, encryption, migrations."""
