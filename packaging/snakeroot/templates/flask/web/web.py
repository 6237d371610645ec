"""A guest book made with Flask: change it, and run again.

Its entries lie in $HOME, on the box's disk, and outlive reboots and updates.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from flask import Flask, redirect, render_template, request, url_for
from waitress import serve

PORT = int(os.environ.get("PORT", "8000"))
DATABASE = Path(os.environ["HOME"]) / "guestbook.db"

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 64 * 1024


def database():
    connection = sqlite3.connect(DATABASE)
    connection.execute("create table if not exists entries (name text, text text)")
    return closing(connection)


@app.get("/")
def index():
    with database() as connection:
        entries = connection.execute("select name, text from entries order by rowid desc limit 50")
        return render_template("index.html", entries=entries.fetchall())


@app.post("/")
def sign():
    entry = request.form.get("name", "")[:80].strip(), request.form.get("text", "")[:1000].strip()
    if all(entry):
        with database() as connection, connection:
            connection.execute("insert into entries values (?, ?)", entry)
    return redirect(url_for("index"))


if __name__ == "__main__":
    print(f"web: listening on port {PORT}")
    serve(app, host="0.0.0.0", port=PORT, ident=None)
