"""Namespaces and metrics of AWS services, as far as alarms are checked against them."""

_NAMESPACES = """
ACMPrivateCA AOSS AmazonMQ AmazonMWAA AmplifyHosting ApiGateway AppFlow AppRunner AppStream AppSync ApplicationELB
Athena AutoScaling Backup Batch Bedrock Billing CapacityReservations Cassandra CertificateManager Chatbot Chime
ChimeSDK ClientVPN CloudFront CloudHSM CloudSearch CloudTrail CodeBuild CodeGuruProfiler CodePipeline Cognito Config
Connect DAX DDoSProtection DMS DRS DSQL DX DataLifecycleManager DataSync Deadline DevOps-Guru DirectoryService DocDB
DynamoDB EBS EC2 EC2CapacityReservations EC2Spot ECR ECS EFS EKS ELB EMRServerless ES ElastiCache ElasticBeanstalk
ElasticGPUs ElasticInference ElasticMapReduce ElasticTranscoder EventBridge Events FIS FSx Firehose FraudDetector
GameLift GatewayELB GlobalAccelerator GroundStation HealthLake IPAM IVS IVSChat IVSRealTime Inspector
InternetMonitor IoT IoTAnalytics IoTFleetWise IoTSiteWise IoTTwinMaker KMS Kafka KafkaConnect Kendra Kinesis
KinesisAnalytics KinesisVideo Lambda Lex LicenseManager Location Logs LookoutMetrics ML MWAA Macie MediaConnect
MediaConvert MediaLive MediaPackage MediaStore MediaTailor MemoryDB NATGateway Neptune NetworkELB NetworkFirewall
NetworkFlowMonitor NetworkManager NetworkMonitor OSIS Omics OpsWorks Outposts PCS PaymentCryptography Personalize
Polly PrivateLinkEndpoints PrivateLinkServices Prometheus QBusiness QLDB QuickSight RDS RUM Redshift
Redshift-Serverless Rekognition RolesAnywhere Route53 Route53RecoveryReadiness Route53Resolver S3 S3ObjectLambda
S3Outposts S3Tables SDKMetrics SES SMSVoice SNS SQS SSM-RunCommand SSMMessages SWF SageMaker Sagemaker Scheduler
SecretsManager SecurityLake ServiceCatalog States StorageGateway Textract Timestream Transcribe Transfer
TransitGateway Translate TrustedAdvisor Usage VPCLattice VPN VerifiedPermissions VpcLattice WAFV2 WorkMail
WorkSpaces WorkSpacesWeb X-Ray
"""
# Namespaces below these, for example AWS/SageMaker/Endpoints, are not judged.
NAMESPACES = frozenset(f"AWS/{name}" for name in _NAMESPACES.split())

_APPLICATIONELB = """
ActiveConnectionCount AnomalousHostCount BYOIPUtilPercentage ClientTLSNegotiationErrorCount ConsumedLCUs
DesyncMitigationMode_NonCompliant_Request_Count DroppedInvalidHeaderRequestCount ELBAuth*
ForwardedInvalidHeaderRequestCount GrpcRequestCount HTTPCode_*_Count HTTP_*_Count Healthy* IPv6ProcessedBytes
IPv6RequestCount JWT* Lambda* LowReputation* MitigatedHostCount NewConnectionCount NonStickyRequestCount PeakLCUs
ProcessedBytes RejectedConnectionCount RequestCount RequestCountPerTarget ReservedLCUs RoutedRequestCount
RuleEvaluations StandardProcessedBytes Target* UnHealthyHostCount Unhealthy* ZonalShiftedHostCount ZonalHealth*
ZonalShift*
"""
_LAMBDA = """
AsyncEventAge AsyncEventsDropped AsyncEventsReceived ClaimedAccountConcurrency ConcurrentExecutions CPU*
DeadLetterErrors DeletedEventCount DestinationDeliveryFailures DroppedEventCount Duration Durable* Errors
ExecutionEnvironment* FailedInvokeEventCount FilteredOutEventCount Invocations InvokedEventCount IteratorAge Memory*
OffsetLag OnFailureDestinationDeliveredEventCount OversizedRecordCount PolledEventCount
PostRuntimeExtensionsDuration Provisioned* RecursiveInvocationsDropped SignatureValidationErrors Tenant* Throttles
UnreservedConcurrentExecutions
"""
_SNS = """
*Archiv* *Replay* DwellTime NumberOfMessagesPublished NumberOfNotificationsDelivered NumberOfNotificationsFailed
NumberOfNotificationsFailedToRedriveToDlq NumberOfNotificationsFilteredOut NumberOfNotificationsFilteredOut-*
NumberOfNotificationsRedrivenToDlq PublishSize SMS*
"""
_SQS = """
*InQuietGroups ApproximateAgeOfOldestMessage ApproximateNumberOfGroupsWithInflightMessages
ApproximateNumberOfMessagesDelayed ApproximateNumberOfMessagesNotVisible ApproximateNumberOfMessagesVisible
ApproximateNumberOfNoisyGroups NumberOfDeduplicatedSentMessages NumberOfEmptyReceives NumberOfMessagesDeleted
NumberOfMessagesReceived NumberOfMessagesSent SentMessageSize
"""
_STATES = """
*MapRun* *Open* *Redriv* Activit* ConsumedCapacity ExecutionThrottled ExecutionTime ExecutionsAborted
ExecutionsFailed ExecutionsStarted ExecutionsSucceeded ExecutionsTimedOut ExpressExecution* LambdaFunction*
ProvisionedBucketSize ProvisionedRefillRate ServiceIntegration* ThrottledEvents
"""
# Complete for these namespaces; * stands for the rest of a family.
METRICS = {
    "AWS/ApplicationELB": _APPLICATIONELB.split(),
    "AWS/Lambda": _LAMBDA.split(),
    "AWS/SNS": _SNS.split(),
    "AWS/SQS": _SQS.split(),
    "AWS/States": _STATES.split(),
}
