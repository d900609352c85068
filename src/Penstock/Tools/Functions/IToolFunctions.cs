namespace Penstock.Tools.Functions;

/// <summary>Where tools run that are functions of their own, apart from this process.</summary>
public interface IToolFunctions
{
    /// <summary>
    /// Calls a function once, and again only where <see cref="FunctionCall.MayRepeat"/> says that a second call does no harm. Waits for its answer until
    /// <paramref name="ct"/> is cancelled; the function may then go on by itself.
    /// </summary>
    Task<FunctionAnswer> InvokeAsync(FunctionCall call, CancellationToken ct);
}

/// <summary>One call of a function.</summary>
/// <param name="Function">Its name, or all of its address, with or without a version.</param>
/// <param name="Payload">One JSON object; its <c>idempotencyKey</c> is the same for every try of one call, and for no other call.</param>
/// <param name="MayRepeat">False where a call whose outcome is not known must not be made again.</param>
public sealed record FunctionCall(string Function, ReadOnlyMemory<byte> Payload, bool MayRepeat);

/// <summary>What became of a call.</summary>
public abstract record FunctionAnswer
{
    private FunctionAnswer()
    {
    }

    /// <param name="Payload">As the function wrote it.</param>
    public sealed record Answered(ReadOnlyMemory<byte> Payload) : FunctionAnswer;

    /// <summary>It may have done something, or all of it.</summary>
    /// <param name="Why">For whoever called the tool; no secret, no stack trace.</param>
    public sealed record Failed(string Why) : FunctionAnswer;

    /// <summary>It surely did nothing.</summary>
    /// <param name="RetryAfter">When it is worth to try again; null where nobody said.</param>
    public sealed record NotBegun(string Why, TimeSpan? RetryAfter) : FunctionAnswer;
}
