using Xunit;

namespace Penstock.Architecture;

public sealed class SliceEdgeTests
{
    private const string Heading = "Slices of src/Penstock";

    private static readonly EdgeTable Made = EdgeTable.Read("""
        ### Slices of src/Penstock

        | slice | may use | why |
        |---|---|---|
        | every slice | Kernel | |
        | Keys | | |
        | Gateway | Keys | |
        """, Heading);

    private static readonly SourceFile[] MadeFiles =
    [
        new("src/Penstock/Kernel/Money.cs", "namespace Penstock.Kernel; public sealed record Money(long N);"),
        new("src/Penstock/Keys/Key.cs", "namespace Penstock.Keys; public sealed record Key(string Id); public static class KeyWords { public static int Long(this string s) => s.Length; }"),
        new("src/Penstock/Gateway/Pipe.cs", "namespace Penstock.Gateway; public sealed class Pipe { public static Keys.Key First() => new(\"\"); }"),
    ];

    private static IReadOnlyList<SourceFile> Product { get; } = Repository.Files("src/Penstock", ".cs");

    private static IReadOnlyList<Edge> Edges { get; } = SliceEdges.Find(Product);

    private static EdgeTable Table { get; } = EdgeTable.Read(Repository.Read("ARCHITECTURE.md"), Heading);

    [Fact]
    public void Every_edge_between_slices_stands_in_the_table() => Breach.None(Table.Forbidden(Edges));

    [Fact]
    public void Every_row_of_the_slice_table_is_used_by_code() => Breach.None(Table.Stale(Edges));

    [Fact]
    public void The_slices_form_no_circle() => Assert.Null(EdgeTable.Circle(Edges));

    [Fact]
    public void Every_namespace_is_its_folder() => Breach.None(SliceEdges.Misplaced(Product));

    [Fact]
    public void Every_slice_folder_has_a_row_and_every_row_a_folder()
    {
        var folders = Product.Select(file => file.Path.Split('/')).Where(path => path.Length > 3).Select(path => path[2]).Distinct().Order();

        Assert.Equal([.. folders], Table.Rows.Keys.Concat(Table.ForAll).Order());
    }

    [Theory]
    [InlineData("using Penstock.Gateway; namespace Penstock.Keys; public sealed class A { }", "a using")]
    [InlineData("global using Penstock.Gateway; namespace Penstock.Keys; public sealed class A { }", "a global using")]
    [InlineData("using static Penstock.Gateway.Pipe; namespace Penstock.Keys; public sealed class A { }", "a static using")]
    [InlineData("using P = Penstock.Gateway.Pipe; namespace Penstock.Keys; public sealed class A { }", "an alias")]
    [InlineData("namespace Penstock.Keys; public sealed class A { public Penstock.Gateway.Pipe? P; }", "a qualified name")]
    [InlineData("namespace Penstock.Keys; public sealed class A { public global::Penstock.Gateway.Pipe? P; }", "a global qualified name")]
    [InlineData("namespace Penstock.Keys; public sealed class A { public object P() => Gateway.Pipe.First(); }", "a name reached without a using")]
    [InlineData("namespace Penstock.Keys { public sealed class A { public Gateway.Pipe[]? P; } }", "a block namespace and an array")]
    [InlineData("namespace Penstock.Keys; public sealed class A { public string N() => nameof(Gateway.Pipe); }", "nameof")]
    public void An_edge_that_is_not_in_the_table_is_found(string source, string how)
    {
        var breaches = Made.Forbidden(SliceEdges.Find([.. MadeFiles, new SourceFile("src/Penstock/Keys/A.cs", source)]));

        Assert.True(breaches.Any(breach => breach.What.StartsWith("Keys → Gateway", StringComparison.Ordinal)), how);
    }

    [Theory]
    [InlineData("using Penstock.Http; namespace Penstock.Gateway; public sealed class A { public int N() { var key = B.Make(); return key.Id.Length; } }")]
    [InlineData("using Penstock.Http; namespace Penstock.Gateway; public sealed class A { public object? N() => B.Make()?.Id; }")]
    public void A_type_that_is_never_written_is_found(string source)
    {
        SourceFile[] files =
        [
            .. MadeFiles.Where(file => !file.Path.Contains("Gateway", StringComparison.Ordinal)),
            new("src/Penstock/Http/B.cs", "namespace Penstock.Http; public static class B { public static Keys.Key Make() => new(\"\"); }"),
            new("src/Penstock/Gateway/A.cs", source),
        ];

        Assert.Contains(SliceEdges.Find(files), edge => edge is { From: "Gateway", To: "Keys" });
    }

    [Fact]
    public void An_extension_method_through_a_using_is_found()
    {
        SourceFile[] files = [.. MadeFiles, new("src/Penstock/Http/A.cs", "namespace Penstock.Http; using Penstock.Keys; public sealed class A { public int N() => \"x\".Long(); }")];

        Assert.Contains(SliceEdges.Find(files), edge => edge is { From: "Http", To: "Keys" });
    }

    [Theory]
    [InlineData("namespace Penstock.Keys; /* Penstock.Gateway.Pipe */ public sealed class A { }")]
    [InlineData("namespace Penstock.Keys; public sealed class A { public string P = \"Penstock.Gateway.Pipe\"; }")]
    [InlineData("namespace Penstock.Keys; public sealed class A { public int Gateway { get; } public string P() => Gateway.ToString(); }")]
    [InlineData("using Penstock.Kernel; namespace Penstock.Keys; public sealed class A { public Money? P; }")]
    public void What_is_no_edge_or_an_allowed_one_is_not_reported(string source) =>
        Breach.None(Made.Forbidden(SliceEdges.Find([.. MadeFiles, new SourceFile("src/Penstock/Keys/A.cs", source)])));

    [Fact]
    public void A_slice_without_a_row_is_found()
    {
        var edges = SliceEdges.Find([.. MadeFiles, new SourceFile("src/Penstock/Extra/A.cs", "using Penstock.Keys; namespace Penstock.Extra; public sealed class A { }")]);

        Assert.Contains(Made.Forbidden(edges), breach => breach.What.Contains("'Extra' has no row", StringComparison.Ordinal));
    }

    [Fact]
    public void The_kernel_may_use_nothing()
    {
        var edges = SliceEdges.Find([.. MadeFiles, new SourceFile("src/Penstock/Kernel/A.cs", "using Penstock.Keys; namespace Penstock.Kernel; public sealed class A { }")]);

        Assert.Contains(Made.Forbidden(edges), breach => breach.What.Contains("may use nothing", StringComparison.Ordinal));
    }

    [Fact]
    public void A_row_that_no_code_uses_is_found() =>
        Assert.Contains(Made.Stale([]), breach => breach.What.StartsWith("Gateway → Keys", StringComparison.Ordinal));

    [Fact]
    public void A_circle_is_found_and_named() =>
        Assert.Equal("A → B → C → A", EdgeTable.Circle([new("A", "B", "x:1"), new("B", "C", "x:1"), new("C", "A", "x:1"), new("C", "D", "x:1")]));

    [Fact]
    public void A_diamond_is_no_circle() =>
        Assert.Null(EdgeTable.Circle([new("A", "B", "x:1"), new("A", "C", "x:1"), new("B", "D", "x:1"), new("C", "D", "x:1")]));

    [Fact]
    public void A_namespace_in_another_folder_is_found() =>
        Assert.NotEmpty(SliceEdges.Misplaced([new SourceFile("src/Penstock/Keys/A.cs", "namespace Penstock.Gateway; public sealed class A { }")]));

    [Fact]
    public void A_missing_heading_or_table_is_an_error_and_no_empty_rule()
    {
        Assert.Throws<FormatException>(() => EdgeTable.Read("# Other", Heading));
        Assert.Throws<FormatException>(() => EdgeTable.Read($"### {Heading}\n\ntext", Heading));
    }
}
