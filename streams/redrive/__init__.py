"""Dead letters sent again: the original record, in order, once, with a mark (DESIGN 5).

A letter's way: `originals` reads its record from the log, `preparing` makes what is to be sent of it or says
why not, `sender` sends it in a transaction, `settling` finds out what a run that was killed had sent, and
`run` has them in order.
"""
