"""The demo: the real daemon on real data, with files instead of Kafka, told in words."""
