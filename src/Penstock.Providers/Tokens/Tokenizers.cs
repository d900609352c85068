using Microsoft.Extensions.Logging;

namespace Penstock.Providers.Tokens;

/// <summary>
/// The exact tokenizers there are, each loaded when first needed from its rank file in <paramref name="folder"/>.
/// Null means <c>tokenizer/</c> beside the program. Where a file lacks, counts for its models are estimates.
/// </summary>
internal sealed partial class Tokenizers(ILogger<Tokenizers> logger, string? folder = null)
{
    private readonly Lazy<Tokenizer?> _o200k = new(() => Load(folder, "o200k_base.tiktoken", 199_998, SplitRules.O200k, logger));
    private readonly Lazy<Tokenizer?> _cl100k = new(() => Load(folder, "cl100k_base.tiktoken", 100_256, SplitRules.Cl100k, logger));

    /// <summary>The tokenizer <paramref name="model"/> counts with; null where that is not known or its file lacks.</summary>
    public Tokenizer? ForModel(string model) => RulesOf(model) switch
    {
        SplitRules.O200k => _o200k.Value,
        SplitRules.Cl100k => _cl100k.Value,
        _ => null,
    };

    /// <summary>What to estimate with where a model's own tokenizer is not public: any modern vocabulary is closer than a rule of thumb.</summary>
    public Tokenizer? Nearest => _o200k.Value ?? _cl100k.Value;

    internal static SplitRules? RulesOf(string model)
    {
        // openai/gpt-4o, ft:gpt-4o-mini:org::id
        var name = model.AsSpan(model.LastIndexOf('/') + 1);
        if (name.StartsWith("ft:", StringComparison.Ordinal)) name = name[3..];
        if (StartsWithAny(name, "gpt-4o", "chatgpt-4o", "gpt-4.", "gpt-5", "gpt-oss", "o1", "o3", "o4")) return SplitRules.O200k;
        return StartsWithAny(name, "gpt-4", "gpt-3.5", "gpt-35", "text-embedding-3", "text-embedding-ada") ? SplitRules.Cl100k : null;
    }

    internal static bool StartsWithAny(ReadOnlySpan<char> name, params ReadOnlySpan<string> prefixes)
    {
        foreach (var prefix in prefixes)
        {
            if (name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)) return true;
        }

        return false;
    }

    private static Tokenizer? Load(string? folder, string file, int count, SplitRules rules, ILogger logger)
    {
        var path = Path.Combine(folder ?? Path.Combine(AppContext.BaseDirectory, "tokenizer"), file);
        try
        {
            if (File.Exists(path)) return new Tokenizer(RankTable.Load(path, count), rules);
            LogMissing(logger, path);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            LogUnreadable(logger, path, e.Message);
        }

        return null;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "No rank file at {Path}: token counts of its models are estimates")]
    private static partial void LogMissing(ILogger logger, string path);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The rank file {Path} cannot be used, so token counts of its models are estimates: {Problem}")]
    private static partial void LogUnreadable(ILogger logger, string path, string problem);
}
