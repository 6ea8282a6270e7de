"""What Debezium makes of every type and change that a source may have, recorded."""
