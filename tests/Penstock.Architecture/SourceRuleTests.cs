using Xunit;

namespace Penstock.Architecture;

public sealed class SourceRuleTests
{
    private const int LongestFile = 400;
    private const int LongestMethod = 40;

    private static IReadOnlyList<SourceFile> Source { get; } = Repository.Files("src", ".cs");

    private static IReadOnlyList<SourceFile> Written { get; } =
    [
        .. Repository.Files("src", ".cs", ".csproj", ".json"),
        .. Repository.Files("tests", ".cs", ".csproj", ".mjs", ".js", ".ts", ".sh"),
        .. Repository.Files("docs", ".md"),
        .. Repository.Files("build", ".sh", ".mjs", ".js", ".json"),
        .. Directory.EnumerateFiles(Repository.Root).Where(path => Path.GetExtension(path) is ".md" or ".sh" or ".props" or ".json" or ".slnx")
            .Select(path => new SourceFile(Path.GetFileName(path), File.ReadAllText(path))),
    ];

    private static ExceptionTable Exceptions { get; } = ExceptionTable.Read(Repository.Read("CONTRIBUTING.md"));

    [Fact]
    public void There_is_source_to_judge()
    {
        Assert.True(Source.Count > 10, $"{Source.Count} files below src");
        Assert.True(Written.Count > Source.Count);
    }

    [Fact]
    public void Folders_are_features_and_no_layers() => Breach.None(SourceRules.LayerFolders(Repository.Folders("src")));

    [Fact]
    public void Every_class_is_sealed_static_or_abstract() => Breach.None(Exceptions.Judge("open class", [.. CSharpSource.OpenClasses(Source)]));

    [Fact]
    public void Files_have_at_most_400_lines() => Breach.None(Exceptions.Judge("file length", [.. LongFiles(Source)]));

    [Fact]
    public void Methods_have_at_most_40_lines() => Breach.None(Exceptions.Judge("method length", [.. LongMethods(Source)]));

    [Fact]
    public void Nothing_is_left_for_later_in_the_text() => Breach.None(SourceRules.Unfinished(Written));

    [Fact]
    public void No_file_speaks_of_a_machine() => Breach.None(SourceRules.MachinePaths(Written));

    [Theory]
    [InlineData("src/Penstock/Services")]
    [InlineData("src/Penstock/Keys/helpers")]
    [InlineData("src/Penstock.Sqlite/Common")]
    public void A_layer_folder_is_found(string folder) => Assert.NotEmpty(SourceRules.LayerFolders(["src/Penstock", folder]));

    [Theory]
    [InlineData("namespace A; public class B { }")]
    [InlineData("namespace A; internal record B(int C);")]
    [InlineData("namespace A; public sealed class C { private class B { } }")]
    [InlineData("namespace A; public partial class B { } public partial class B { }")]
    public void An_open_class_is_found(string source) => Assert.NotEmpty(CSharpSource.OpenClasses([new SourceFile("src/A.cs", source)]));

    [Fact]
    public void A_class_closed_in_one_of_its_parts_is_closed() => Assert.Empty(CSharpSource.OpenClasses(
    [
        new SourceFile("src/A.cs", "namespace A; public sealed partial class B { }"),
        new SourceFile("src/B.cs", "namespace A; public partial class B { } public record struct S; public abstract record R;"),
    ]));

    [Fact]
    public void A_long_file_is_found_and_one_of_400_lines_is_not()
    {
        Assert.NotEmpty(LongFiles([new SourceFile("src/A.cs", string.Concat(Enumerable.Repeat("//\n", 401)))]));
        Assert.Empty(LongFiles([new SourceFile("src/A.cs", string.Concat(Enumerable.Repeat("//\n", 400)))]));
    }

    [Theory]
    [InlineData("class A { void B() {\n", "} }")]
    [InlineData("class A { int B { get {\n", "} } }")]
    [InlineData("class A { void B() { void C() {\n", "} } }")]
    public void A_long_method_is_found_and_one_of_40_lines_is_not(string before, string after)
    {
        Assert.NotEmpty(LongMethods([new SourceFile("src/A.cs", before + string.Concat(Enumerable.Repeat(";\n", 41)) + after)]));
        Assert.Empty(LongMethods([new SourceFile("src/A.cs", before + string.Concat(Enumerable.Repeat(";\n", 40)) + after)]));
    }

    [Fact]
    public void A_reminder_is_found()
    {
        Assert.NotEmpty(SourceRules.Unfinished([new SourceFile("src/A.cs", "// TO" + "DO: later")]));
        Assert.NotEmpty(SourceRules.Unfinished([new SourceFile("src/A.cs", "// FIX" + "ME")]));
        Assert.Empty(SourceRules.Unfinished([new SourceFile("src/A.cs", "// Mastodon, to do")]));
    }

    [Fact]
    public void A_path_of_a_machine_is_found()
    {
        Assert.NotEmpty(SourceRules.MachinePaths([new SourceFile("A.md", "see /wo" + "rk/main")]));
        Assert.NotEmpty(SourceRules.MachinePaths([new SourceFile("A.md", "in `/ho" + "me/someone/penstock`")]));
        Assert.NotEmpty(SourceRules.MachinePaths([new SourceFile("A.md", @"in C:\Us" + @"ers\someone")]));
        Assert.Empty(SourceRules.MachinePaths([new SourceFile("A.md", "https://example.org/work/main and ./work/main and $dir/work/main")]));
    }

    [Fact]
    public void An_exception_that_is_needed_no_more_or_has_no_reason_is_found()
    {
        var table = ExceptionTable.Read("## Exceptions\n\n| rule | where | reason |\n|---|---|---|\n| file length | `src/A.cs` | a table that reads as one |\n| file length | `src/B.cs` | |\n");

        Assert.Empty(new ExceptionTable([table.Rows[0]]).Judge("file length", [new Breach("src/A.cs", "401 lines")]));
        Assert.Contains(table.Judge("file length", []), breach => breach.What.Contains("needed no more", StringComparison.Ordinal));
        Assert.Contains(table.Judge("file length", [new Breach("src/B.cs", "")]), breach => breach.What.Contains("no reason", StringComparison.Ordinal));
        Assert.Contains(table.Judge("file length", [new Breach("src/C.cs", "401 lines")]), breach => breach.Where == "src/C.cs");
    }

    private static IEnumerable<Breach> LongFiles(IEnumerable<SourceFile> files) =>
        from file in files
        let lines = SourceRules.LinesOf(file)
        where lines > LongestFile
        select new Breach(file.Path, $"{lines} lines, more than {LongestFile}");

    private static IEnumerable<Breach> LongMethods(IEnumerable<SourceFile> files) =>
        from file in files
        from method in CSharpSource.LongMethods(file, LongestMethod)
        select new Breach($"{file.Path} {method.Name}", $"{method.Lines} lines, more than {LongestMethod}");
}
