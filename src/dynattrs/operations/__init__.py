"""What is asked of the service for each verb, as flows that wait for nothing and open no connection."""
