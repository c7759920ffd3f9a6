"""Errors as AWS answers them."""


class AwsError(Exception):
    """An error with AWS's code, message and HTTP status; the wire decides how it is written."""

    def __init__(self, code: str, message: str, status: int = 400, **members: object) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        # Some error shapes carry more than a message, e.g. EKS's `clusterName` or `validZones`.
        self.members = members


class Answered(Exception):
    """Moto answered with an error of its own: it is passed on as it is."""

    def __init__(self, response: "object") -> None:
        super().__init__("moto answered")
        self.response = response
