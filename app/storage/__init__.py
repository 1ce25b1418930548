"""How it is kept: tables, one repository per aggregate, unit of work, encryption, migrations."""
