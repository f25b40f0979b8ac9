"""The workers' own code, run over a played broker and database: seeded, repeatable, with anything going wrong."""
