"""The state machine of CloudFormation."""
