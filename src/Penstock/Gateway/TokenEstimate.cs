namespace Penstock.Gateway;

/// <summary>How many tokens a call may use, by which a limit on tokens is taken until they are metered. An estimate, no bound: money has its own.</summary>
internal static class TokenEstimate
{
    /// <summary>What an answer is taken for where nobody says how long it may be: the longest a model can write would leave no room for a second call.</summary>
    private const int UsualOutputTokens = 1024;

    public static long Of(ProviderCall sent, ITokenCounter tokens) =>
        tokens.Count(sent.Call, sent.Model).Tokens + ((long)(sent.MaxOutputTokens ?? UsualOutputTokens) * sent.Call.Choices);
}
