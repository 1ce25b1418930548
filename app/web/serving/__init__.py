"""The web server: waitress, with what a server needs that strangers can reach. `python -m app.web.serving wsgi:app`.

**Nobody who is slow holds a thread.** One thread reads all connections; a request gets a thread of its own when all of
it is here. Whoever is too slow is cut off (`channel`): a head within 10 seconds, a whole request within 30, silence for
10, an answer that is not read. A browser's idle connection is closed after 15. Nobody is counted per address, because
behind a proxy everybody has one address: instead, the connections that have waited for longest are closed first when
three quarters of all are used, so that a flood pushes out itself and not who comes with a request; who has come a
moment ago is spared while there is room (`server`).

**What one kind of request takes, another does not miss** (`lanes`). Each kind has threads of its own, of which only
some work at a time and the others wait for a vendor, for a hash or for their transaction. They are few on purpose:
Python runs one thread at a time, and the thread of all connections waits behind each one that works whenever it takes,
reads or closes a connection. With twice as many, the health check took three times as long in `make siege`:

| kind | at work | may wait besides | database connections | broker |
| --- | --- | --- | --- | --- |
| `/health/live` | the thread of all connections | 0 | none | none |
| `/health/ready`, `/metrics` | 2 | 0 | `ready`: those of the webhooks; `/metrics`: common | its time-outs |
| webhooks | WEB_THREADS | 0 | 10 of their own (`Context.intake_unit_of_work`) | none |
| sign-in, invitation, passwords | 1 | 6, and those that compute | common | short time-outs |
| pages that ask a vendor | 1 | 17 | common | short time-outs |
| API | WEB_THREADS / 16 | 8, for a vendor | common | its time-outs |
| other pages | WEB_THREADS / 8 | 16, for a vendor | common | its time-outs |

Whoever waits for a vendor or for a password's hash waits in a bounded pool and is told at once when that is full
(`app.web.http.vendor_turns`, `app.use_cases.accounts.passwords`): so a flood of sign-ins or of slow comparisons leaves
the threads of the pages. Hashes are computed at a lower priority than everything else. Nobody waits for a vendor inside
a transaction, so the common connections are held for moments only. On SQLite, where one writes at a time, the writers
of this process take turns (`app.storage.unit_of_work`), and webhooks take theirs apart from them.

**A process that hangs is replaced** (`processes`, `pulse`): the thread of all connections writes a moment at least
twice a second, and the parent kills a child whose moment stands still for 30 seconds.

Not chosen: gunicorn with threads, which reads requests in them (40 half-open connections stopped everything); gevent,
which never cuts half-sent bodies; nginx in front, which `make run` cannot ask for. An nginx in front changes nothing
here.
"""
