"""The web server: waitress, with what a server needs that strangers can reach. `python -m app.web.serving wsgi:app`.

**Nobody who is slow holds a thread.** One thread reads all connections; a request gets a thread of its own when all of
it is here. Whoever is too slow is cut off (`channel`): a head within 10 seconds, a whole request within 30, silence for
10, an answer that is not read. A browser's idle connection is closed after 15. Nobody is counted per address, because
behind a proxy everybody has one address: instead, the connections that have waited for longest are closed first when
three quarters of all are used, so that a flood pushes out itself and not who comes with a request (`server`).

**What one kind of request takes, another does not miss** (`lanes`). Each kind has threads of its own:

| kind | threads | database connections | broker |
| --- | --- | --- | --- |
| `/health/live` | 2 | none | none |
| `/health/ready`, `/metrics` | 2 | `ready`: those of the webhooks; `/metrics`: the common ones | its own time-outs |
| webhooks | WEB_THREADS | 10 of their own (`Context.intake_unit_of_work`) | none |
| passwords: sign-in, invitation, change | 12, of which 4 compute and 4 wait | the common ones | short time-outs |
| API | 8, and 8 that may wait for a vendor | the common ones | short time-outs |
| pages | WEB_THREADS, and 16 that may wait for a vendor | the common ones | short time-outs |

Whoever waits for a vendor or for a password's hash waits in a bounded pool and is told at once when that is full
(`app.web.http.vendor_turns`, `app.use_cases.accounts.passwords`): so a flood of sign-ins or of slow comparisons leaves
the threads of the pages. The common pool of connections is larger than what these kinds hold in transactions at one
time (nobody waits for a vendor inside a transaction), and a kind without a free thread waits in its own queue only.

Not chosen: gunicorn with threads, which reads requests in them (40 half-open connections stopped everything); gevent,
which never cuts half-sent bodies; nginx in front, which `make run` cannot ask for. An nginx in front changes nothing
here.
"""
