"""Readings of sensors by an HTTP interface, made with FastAPI: change it, and run again.

What is stored lies in $HOME, on the box's disk, and outlives reboots and updates.
"""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field

PORT = int(os.environ.get("PORT", "8000"))
DATABASE = Path(os.environ["HOME"]) / "readings.db"

app = FastAPI(title="Readings")


class Reading(BaseModel):
    sensor: str = Field(min_length=1, max_length=80)
    value: float


class Stored(Reading):
    time: float


def database():
    connection = sqlite3.connect(DATABASE)
    connection.execute("create table if not exists readings (sensor text, value real, time real)")
    return closing(connection)


@app.get("/")
def latest(limit: int = 50) -> list[Stored]:
    """The latest readings, the newest first."""
    with database() as connection:
        rows = connection.execute(
            "select sensor, value, time from readings order by rowid desc limit ?", (limit,)
        )
        return [Stored(sensor=sensor, value=value, time=at) for sensor, value, at in rows]


@app.post("/", status_code=201)
def store(reading: Reading) -> Stored:
    """Store a reading, with the time of the box."""
    stored = Stored(sensor=reading.sensor, value=reading.value, time=time.time())
    with database() as connection, connection:
        row = stored.sensor, stored.value, stored.time
        connection.execute("insert into readings values (?, ?, ?)", row)
    return stored


if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=PORT)
