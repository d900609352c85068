using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Providers.Tokens;
using Xunit;

namespace Penstock.Tests.Providers.Tokens;

/// <summary>The vocabularies the build copies out of npm's gpt-tokenizer. Where they lack, tests that need them are skipped and say so.</summary>
internal static class RankFiles
{
    public static readonly string Root = FindRoot();

    private static readonly string Folder = Path.Combine(Root, "artifacts", "tokenizer");

    private static readonly Tokenizers Shared = new(NullLogger<Tokenizers>.Instance, Folder);

    public static Tokenizers Loaded()
    {
        Assert.SkipUnless(Path.Exists(Path.Combine(Folder, "o200k_base.tiktoken")) && Path.Exists(Path.Combine(Folder, "cl100k_base.tiktoken")), $"No rank files in {Folder}");
        return Shared;
    }

    public static Tokenizers Missing() => new(NullLogger<Tokenizers>.Instance, Path.Combine(Path.GetTempPath(), "no-such-folder"));

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Penstock.slnx"))) folder = folder.Parent ?? throw new DirectoryNotFoundException("Penstock.slnx");
        return folder.FullName;
    }
}
