# Sourced by the scripts: what every run of ours needs in its environment.
# Some machines forbid .pyc files; without them every Airflow component pays seconds at each start.
unset PYTHONDONTWRITEBYTECODE
# Tests and demo talk to servers on loopback only; a proxy of the machine must not see that.
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
