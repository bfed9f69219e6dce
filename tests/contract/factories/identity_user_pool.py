from archlib import Component, Stack
from archlib.components.identity.identity_provider import OidcProvider, SamlProvider, SecretText, SocialProvider
from archlib.components.identity.user_pool import UserPool

SIGN_IN = "arn:aws:secretsmanager:us-east-1:111122223333:secret:idp-AbCdEf"


def user_pool(stack: Stack) -> Component:
    return UserPool(stack, "people")


def user_pool_with_everything(stack: Stack) -> Component:
    pool = UserPool(stack, "people", threat_protection=True)
    pool.provider(SamlProvider("corp", "https://idp.example.com/metadata"))
    pool.provider(OidcProvider("partner", "https://login.example.com", "shop", SecretText(SIGN_IN)))
    pool.provider(SocialProvider("google", "shop", SecretText(SIGN_IN, "google")))
    pool.client("web", callback_urls=["https://shop.example.com/done"], logout_urls=["https://shop.example.com"])
    pool.client("server", secret=True)
    pool.group("admins", precedence=0)
    pool.domain("shop-people")
    return pool


FACTORIES = (user_pool, user_pool_with_everything)
