namespace Penstock.Gateway;

/// <summary>Counts tokens without asking anybody: exactly where a model's tokenizer is installed, else by an estimate that says so.</summary>
public interface ITokenCounter
{
    /// <summary>Input tokens of the whole request, tools and images included.</summary>
    TokenCount Count(ChatCall call, string model);

    long CountText(string text, string model);
}
