namespace Penstock.Kernel;

/// <summary>Why a request is not answered. The numeric value is the HTTP status.</summary>
public enum RefusalKind
{
    Invalid = 400,
    Unauthenticated = 401,
    Unaffordable = 402,
    Forbidden = 403,
    NotFound = 404,
    MethodNotAllowed = 405,
    Conflict = 409,
    TooLarge = 413,
    UnsupportedMedia = 415,
    Unprocessable = 422,
    Limited = 429,
    Broken = 500,
    ProviderFailed = 502,
    Unavailable = 503,
    ProviderTimedOut = 504,
}

/// <summary>
/// An expected "no". Every dialect writes it in its own shape; the status is <see cref="RefusalKind"/>'s value.
/// The message says what, which, and what to do; it never holds a key, a prompt or a stack trace.
/// </summary>
/// <param name="Code">Stable and machine-readable, such as <c>model_not_found</c>.</param>
public sealed record Refusal(RefusalKind Kind, string Code, string Message)
{
    /// <summary>Path of the offending request field, such as <c>messages[2].content</c>.</summary>
    public string? Field { get; init; }

    public TimeSpan? RetryAfter { get; init; }

    public int Status => (int)Kind;

    /// <summary>False where the same request would be refused again, so that client libraries do not retry it.</summary>
    public bool Retryable { get; init; } = Kind is RefusalKind.Limited or RefusalKind.ProviderFailed or RefusalKind.Unavailable or RefusalKind.ProviderTimedOut;

    public static Refusal Invalid(string field, string message) => new(RefusalKind.Invalid, "invalid_request", message) { Field = field };

    /// <summary>A field of one dialect that the chosen target has no counterpart for. It is refused by name, never dropped.</summary>
    public static Refusal CannotCross(string field, string target, string? instead = null) =>
        new(RefusalKind.Invalid, "unsupported_by_target", $"'{field}' cannot be sent to {target}. {instead ?? "Remove it, or choose a model whose provider supports it."}") { Field = field };
}

/// <summary>Carries a <see cref="Kernel.Refusal"/> to the edge, where it becomes the answer.</summary>
public sealed class RefusedException(Refusal refusal) : Exception(refusal.Message)
{
    public Refusal Refusal { get; } = refusal;
}
