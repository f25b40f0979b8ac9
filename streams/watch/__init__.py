"""What is asked of Kafka, Postgres and the workers, from outside, to see how they are."""
