"""The main job, shown end to end on one machine: sandbox agencies, gateway, Airflow, consumer, auditor."""
