using System.Text.Json;

namespace Penstock.Gateway.Wire.Native;

/// <summary>The foot of our own answers: what was booked, and how long it took.</summary>
internal static class NativeUsage
{
    public static void Write(Utf8JsonWriter json, Receipt receipt)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("inputTokens", receipt.Tokens.TotalInput);
        json.WriteNumber("outputTokens", receipt.Tokens.TotalOutput);
        json.WriteNumber("totalTokens", receipt.Tokens.Total);
        json.WriteNumber("cachedInputTokens", receipt.Tokens.CacheRead);
        json.WriteNumber("reasoningTokens", receipt.Tokens.Reasoning);
        // A decimal holds every nano-dollar amount exactly and is written without an exponent.
        json.WriteNumber("cost", receipt.Cost.Usd);
        if (receipt.Estimated) json.WriteBoolean("estimated", true);
        json.WriteEndObject();
        json.WriteNumber("latencyMs", receipt.LatencyMs);
    }
}
