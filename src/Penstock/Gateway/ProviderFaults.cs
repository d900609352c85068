using Penstock.Gateway.Routing;
using Penstock.Kernel;

namespace Penstock.Gateway;

/// <summary>What a client is told when a provider failed. Our credentials and quotas are the operator's business: they never look like the client's.</summary>
internal static class ProviderFaults
{
    public static Refusal ToRefusal(this ProviderException fault, Target target) => fault.Fault switch
    {
        ProviderFault.Unauthorized when target.OwnKey => new(RefusalKind.Unauthenticated, "provider_key_refused", $"Provider '{target.Provider.Name}' refused {OwnKeyOf(target)}."),
        ProviderFault.QuotaSpent when target.OwnKey => new(RefusalKind.ProviderFailed, "provider_quota_spent", $"At provider '{target.Provider.Name}' the quota of {OwnKeyOf(target)} is spent.") { Retryable = false },
        ProviderFault.Rejected when fault.Status == 413 => new(RefusalKind.TooLarge, "body_too_large", fault.Message),
        ProviderFault.Rejected => new(RefusalKind.Invalid, Named(fault.Code) ?? "provider_rejected", fault.Message) { Field = fault.Field },
        ProviderFault.ModelUnknown => new(RefusalKind.NotFound, "model_not_found", fault.Message) { Field = "model" },
        ProviderFault.Limited => new(RefusalKind.Limited, "provider_rate_limited", fault.Message) { RetryAfter = fault.RetryAfter ?? TimeSpan.FromSeconds(1) },
        ProviderFault.Unauthorized => new(RefusalKind.ProviderFailed, "provider_unauthorized", $"Provider '{target.Provider.Name}' refused Penstock's own credentials. Its operator must mend them.") { Retryable = false },
        ProviderFault.QuotaSpent => new(RefusalKind.ProviderFailed, "provider_quota_spent", $"Penstock's quota at provider '{target.Provider.Name}' is spent. Its operator must raise it.") { Retryable = false },
        ProviderFault.Overloaded => new(RefusalKind.Unavailable, "provider_overloaded", fault.Message) { RetryAfter = fault.RetryAfter },
        ProviderFault.TimedOut => new(RefusalKind.ProviderTimedOut, "provider_timed_out", fault.Message),
        ProviderFault.Unreachable => new(RefusalKind.ProviderFailed, "provider_unreachable", fault.Message),
        ProviderFault.CutShort => new(RefusalKind.ProviderFailed, "provider_cut_short", fault.Message),
        _ => new(RefusalKind.ProviderFailed, "provider_failed", fault.Message),
    };

    private static string OwnKeyOf(Target target) => target.StoredKey ? "the key that is stored for this caller; an admin can store another" : $"the key in '{Router.OwnKeyHeader}'";

    /// <summary>A provider's own code where it is one: it goes into the ledger and the log.</summary>
    private static string? Named(string? code) =>
        code is { Length: > 0 and <= 64 } && code.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.') ? code : null;

    /// <summary>True where the provider said no before it did any work, so that nothing was billed.</summary>
    public static bool BilledNothing(this ProviderException fault) => fault.Fault == ProviderFault.Unreachable || fault.Status is >= 400;
}
