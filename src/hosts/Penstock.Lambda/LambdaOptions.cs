using Penstock.Hosts;

namespace Penstock.Lambda;

/// <summary>What the environment says to this host alone.</summary>
internal sealed record LambdaOptions
{
    private const string ToolPrefix = "tool:";

    /// <summary>Host and port of the Runtime API; Lambda sets it.</summary>
    public required string RuntimeApi { get; init; }

    /// <summary>True where HTTP answers go out while they are made, which the function's URL or its REST API must be set to as well.</summary>
    public bool Streams { get; init; }

    /// <summary>The one tool this function is; null where it is the whole gateway.</summary>
    public string? Tool { get; init; }

    /// <summary>Throws <see cref="RefusedStartException"/> with every error.</summary>
    public static LambdaOptions Read(IConfiguration configuration)
    {
        var errors = new List<string>();
        string? Text(string name) => configuration[name]?.Trim() is { Length: > 0 } text ? text : null;
        var api = Text("AWS_LAMBDA_RUNTIME_API");
        if (api is null) errors.Add("AWS_LAMBDA_RUNTIME_API is not set: Lambda sets it. Elsewhere run Penstock.Server.");
        var response = Text("PENSTOCK_LAMBDA_RESPONSE") ?? "buffered";
        if (response is not ("buffered" or "stream")) errors.Add($"PENSTOCK_LAMBDA_RESPONSE must be buffered or stream, not '{response}'.");
        var function = Text("PENSTOCK_FUNCTION") ?? "gateway";
        var tool = function.StartsWith(ToolPrefix, StringComparison.Ordinal) ? function[ToolPrefix.Length..] : null;
        if (tool is "" || (tool is null && function != "gateway")) errors.Add($"PENSTOCK_FUNCTION must be gateway, or tool: and a tool's name such as tool:summarize, not '{function}'.");
        if (errors.Count > 0) throw new RefusedStartException("The function's environment is not valid", errors);
        return new LambdaOptions { RuntimeApi = api!, Streams = response == "stream", Tool = tool };
    }
}
