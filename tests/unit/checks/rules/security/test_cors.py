import pytest

from archlib.checks.rules.security.cors import Cors


@pytest.mark.parametrize(
    ("kind", "properties", "place"),
    [
        ("AWS::ApiGatewayV2::Api", {"CorsConfiguration": {"AllowOrigins": ["https://x", "*"]}},
         "CorsConfiguration/AllowOrigins/1"),
        ("AWS::Lambda::Url", {"Cors": {"AllowOrigins": ["*"]}}, "Cors/AllowOrigins/0"),
        ("AWS::S3::Bucket", {"CorsConfiguration": {"CorsRules": [{"AllowedOrigins": ["*"]}]}},
         "CorsConfiguration/CorsRules/0/AllowedOrigins/0"),
        ("AWS::ApiGateway::GatewayResponse",
         {"ResponseParameters": {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"}},
         "ResponseParameters/gatewayresponse.header.Access-Control-Allow-Origin"),
        ("AWS::ApiGateway::Method",
         {"Integration": {"IntegrationResponses": [
             {"ResponseParameters": {"method.response.header.access-control-allow-origin": "'*'"}}]}},
         "Integration/IntegrationResponses/0/ResponseParameters/method.response.header.access-control-allow-origin"),
    ],
)  # fmt: skip
def test_every_origin_is_found(places, kind, properties, place):
    assert places(Cors, {"R": {"Type": kind, "Properties": properties}}) == [f"R/Properties/{place}"]


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("AWS::ApiGatewayV2::Api", {"CorsConfiguration": {"AllowOrigins": ["https://x"], "AllowHeaders": ["*"]}}),
        ("AWS::ApiGatewayV2::Api", {"CorsConfiguration": {"AllowOrigins": {"Ref": "Origins"}}}),
        ("AWS::ApiGateway::GatewayResponse",
         {"ResponseParameters": {"gatewayresponse.header.Access-Control-Allow-Origin": "'https://x'",
                                 "gatewayresponse.header.Access-Control-Allow-Headers": "'*'"}}),
        ("AWS::ApiGateway::GatewayResponse", {"ResponseParameters": ["broken"]}),
        ("AWS::S3::Bucket", {"CorsConfiguration": "broken"}),
    ],
)  # fmt: skip
def test_named_origins_are_fine(places, kind, properties):
    assert places(Cors, {"R": {"Type": kind, "Properties": properties}}) == []
