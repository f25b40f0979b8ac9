"""Faust, made exactly-once and fast; nothing else in the project touches Faust's internals.

A worker reads micro-batches (`transport`), hands each to the lane of its partition (`lanes`), and a lane
commits units of work: for the stock worker one Kafka transaction of events, table changes and consumed
offsets (`unit`, `transactions`), for the history worker one Postgres transaction (a callback). Tables are
restored in bulk (`recovery`), every source partition starts at an explicit position (`positions`), and
whatever goes wrong ends the process: the supervisor starts it again, and the log is the truth.
"""
