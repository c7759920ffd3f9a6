"""Performance Insights and Database Insights, of clusters and of instances."""

from . import references
from .rds import clash, invalid
from .store import Document

RETENTIONS = {7, 731} | {31 * months for months in range(1, 24)}
ADVANCED = 465
# The parameters that change them.
PARAMETERS = (
    "DatabaseInsightsMode",
    "EnablePerformanceInsights",
    "PerformanceInsightsKMSKeyId",
    "PerformanceInsightsRetentionPeriod",
)


def insights(region: str, params: Document, now: Document) -> Document:
    """Performance Insights and the Database Insights mode as they will be."""
    enabled = params.get("EnablePerformanceInsights")
    enabled = now["PerformanceInsightsEnabled"] if enabled is None else enabled
    mode = params.get("DatabaseInsightsMode") or now.get("DatabaseInsightsMode") or "standard"
    days = params.get("PerformanceInsightsRetentionPeriod") or now.get("PerformanceInsightsRetentionPeriod")
    key = params.get("PerformanceInsightsKMSKeyId")
    if not enabled:
        if key or params.get("PerformanceInsightsRetentionPeriod") or mode == "advanced":
            raise clash(
                "Performance Insights has to be enabled for its key, its retention period and the advanced mode."
            )
        return {
            "PerformanceInsightsEnabled": False,
            "PerformanceInsightsKMSKeyId": None,
            "PerformanceInsightsRetentionPeriod": None,
            "DatabaseInsightsMode": mode,
        }
    days = days or (ADVANCED if mode == "advanced" else 7)
    if days not in RETENTIONS:
        raise invalid(f"Invalid Performance Insights retention period. Valid values are: 7, n * 31, 731. Got {days}.")
    if mode == "advanced" and days < ADVANCED:
        raise clash(
            f"To enable the Advanced mode of Database Insights, set the Performance Insights retention period to at least {ADVANCED} days."
        )
    old = now.get("PerformanceInsightsKMSKeyId")
    chosen = references.key_arn(region, key, "KMSKeyNotAccessibleFault") if key else None
    if old and chosen and chosen != old:
        raise clash("You cannot change your Performance Insights KMS key.")
    chosen = chosen or old or references.key_arn(region, "alias/aws/rds", "KMSKeyNotAccessibleFault")
    return {
        "PerformanceInsightsEnabled": True,
        "PerformanceInsightsKMSKeyId": chosen,
        "PerformanceInsightsRetentionPeriod": days,
        "DatabaseInsightsMode": mode,
    }
