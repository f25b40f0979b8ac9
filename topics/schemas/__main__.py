"""`python -m topics.schemas` writes the JSON Schemas anew; a test checks that they are up to date."""

from topics.schemas import FOLDER, files

for name, text in files().items():
    (FOLDER / name).write_text(text, encoding="utf-8")
