from __future__ import annotations

from archlib import App, Stack
from archlib.components.storage.bucket import Bucket
from archlib.components.storage.replication import Replication

COPY = "arn:aws:s3:::photos-copy"
COPY_KEY = "arn:aws:kms:eu-west-1:111122223333:key/mrk-1"


def test_copies_everything_encrypted_with_exact_rights() -> None:
    app = App("shop", "test", layout="single")
    Bucket(Stack(app, "main"), "photos", replication=Replication(COPY, COPY_KEY))

    found = app.assemble()[0].template["Resources"]

    configuration = found["PhotosBucket"]["Properties"]["ReplicationConfiguration"]
    assert configuration["Role"] == {"Fn::GetAtt": ["PhotosReplicationRole", "Arn"]}
    (rule,) = configuration["Rules"]
    assert rule["Destination"] == {"Bucket": COPY, "EncryptionConfiguration": {"ReplicaKmsKeyID": COPY_KEY}}
    assert rule["SourceSelectionCriteria"] == {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
    assert rule["DeleteMarkerReplication"] == {"Status": "Enabled"}
    rights = {
        action: statement["Resource"]
        for statement in found["PhotosReplicationPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    }
    bucket, objects = {"Fn::GetAtt": ["PhotosBucket", "Arn"]}, {"Fn::Sub": "${PhotosBucket.Arn}/*"}
    assert rights == {
        "kms:Decrypt": [{"Fn::GetAtt": ["AppKey", "Arn"]}],
        "kms:Encrypt": [COPY_KEY],
        "kms:GenerateDataKey": [COPY_KEY],
        "s3:GetObjectLegalHold": [objects],
        "s3:GetObjectRetention": [objects],
        "s3:GetObjectVersionAcl": [objects],
        "s3:GetObjectVersionForReplication": [objects],
        "s3:GetObjectVersionTagging": [objects],
        "s3:GetReplicationConfiguration": [bucket],
        "s3:ListBucket": [bucket],
        "s3:ReplicateDelete": [f"{COPY}/*"],
        "s3:ReplicateObject": [f"{COPY}/*"],
        "s3:ReplicateTags": [f"{COPY}/*"],
    }
    trust = found["PhotosReplicationRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]
    assert trust["Principal"] == {"Service": "s3.amazonaws.com"}
    assert trust["Condition"] == {"StringEqualsIfExists": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert "S3_BUCKET_REPLICATION_ENABLED" not in found["PhotosBucket"]["Metadata"]["guard"]["SuppressedRules"]
