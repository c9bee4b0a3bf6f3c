"""AWS Lambda, as far as something has to happen: functions run. What they are is kept by the supporting services."""
