"""The workers' own code over a played broker and database: seeded, repeatable, with anything going wrong."""
