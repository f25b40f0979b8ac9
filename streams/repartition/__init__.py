"""Another number of partitions: a new generation of topics, in which stores live elsewhere."""
