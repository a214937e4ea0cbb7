"""Settings that librdkafka refuses."""

from __future__ import annotations

import pytest

from logwarden.api.log_pipeline import TopicSpec
from logwarden.errors import InvalidInputError
from logwarden.kafka.producer import Producer
from logwarden.kafka.settings import KafkaSettings, Tls
from logwarden.kafka.topics import ensure_topics


def test_an_authority_that_is_no_certificate_is_a_mistake_of_the_input() -> None:
    settings = KafkaSettings("127.0.0.1:1", TopicSpec(), "group", tls=Tls(authority="no certificate"))
    for use in (ensure_topics, Producer):
        with pytest.raises(InvalidInputError, match=r"^spec\.kafka: .*ssl\.ca\.pem"):
            use(settings)
