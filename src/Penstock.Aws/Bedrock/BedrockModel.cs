namespace Penstock.Aws.Bedrock;

/// <summary>Who made a model. Converse is one form for all of them, and yet not each takes all of it.</summary>
internal enum ModelFamily
{
    Claude,
    Llama,
    Mistral,
    Nova,
    Other,
}

/// <summary>
/// A model as Bedrock names it: an id, one of an inference profile with its region before it (<c>us.</c>, <c>eu.</c>, <c>apac.</c>,
/// <c>global.</c>), or an ARN of either.
/// </summary>
internal readonly record struct BedrockModel(string Id)
{
    public ModelFamily Family
    {
        get
        {
            // Behind the last '/' of an ARN stands the id; the rest of it names an account.
            var parts = Id[(Id.LastIndexOf('/') + 1)..].Split('.');
            var maker = Array.Find(parts, part => part is "anthropic" or "meta" or "mistral" or "amazon");
            return maker switch
            {
                "anthropic" => ModelFamily.Claude,
                "meta" => ModelFamily.Llama,
                "mistral" => ModelFamily.Mistral,
                "amazon" when parts[^1].StartsWith("nova", StringComparison.Ordinal) => ModelFamily.Nova,
                _ => ModelFamily.Other,
            };
        }
    }

    public bool IsCohere => Id.Contains("cohere.", StringComparison.Ordinal);

    public bool IsFirstTitan => Id.Contains("titan-embed-text-v1", StringComparison.Ordinal) || Id.Contains("titan-embed-g1-text", StringComparison.Ordinal);

    /// <summary>Encoded once, its colons and slashes too: it is one piece of the path.</summary>
    public string Path(string operation) => $"/model/{Uri.EscapeDataString(Id)}/{operation}";
}
