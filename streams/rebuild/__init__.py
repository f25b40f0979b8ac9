"""The stock worker's tables made again from the topics, when a changelog is lost or a row is broken."""
