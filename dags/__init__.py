"""When: Airflow DAGs made from the sources."""
