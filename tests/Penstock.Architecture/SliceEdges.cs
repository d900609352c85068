using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Penstock.Architecture;

/// <summary>
/// Which slice uses which, by the compiler's own binding: a using, an alias, a qualified name, a name reached without a using from
/// a sibling namespace, an extension method and a type that only <c>var</c> speaks of all count. Comments do not.
/// </summary>
internal static class SliceEdges
{
    private const string Product = "Penstock";

    // What ImplicitUsings of the SDK gives every file.
    private const string Implicit = """
        global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq;
        global using System.Net.Http; global using System.Threading; global using System.Threading.Tasks;
        """;

    private static readonly IReadOnlyList<MetadataReference> Framework =
        [.. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => !Path.GetFileName(path).StartsWith(Product + ".", StringComparison.Ordinal))
            .Select(path => MetadataReference.CreateFromFile(path))];

    public static IReadOnlyList<Edge> Find(IEnumerable<SourceFile> files)
    {
        var trees = files.Select(file => CSharpSyntaxTree.ParseText(file.Text, CSharpSource.Options, file.Path)).ToList();
        var compilation = CSharpCompilation.Create("UnderTest", [.. trees, CSharpSyntaxTree.ParseText(Implicit, CSharpSource.Options)], Framework,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true));
        return [.. trees.SelectMany(tree => EdgesOf(tree, compilation.GetSemanticModel(tree))).DistinctBy(edge => (edge.From, edge.To, File(edge.Where)))];
    }

    /// <summary>Files whose namespace is not that of the folder they stand in; their edges would be booked to the wrong slice.</summary>
    public static IEnumerable<Breach> Misplaced(IEnumerable<SourceFile> files)
    {
        foreach (var file in files)
        {
            var root = CSharpSyntaxTree.ParseText(file.Text, CSharpSource.Options).GetRoot();
            foreach (var space in root.DescendantNodes().OfType<BaseNamespaceDeclarationSyntax>().Select(node => node.Name.ToString()))
            {
                var folder = string.Join('.', file.Path.Split('/')[1..^1]);
                if (space != folder) yield return new Breach(file.Path, $"its namespace is {space}, its folder says {folder}");
            }
        }
    }

    private static IEnumerable<Edge> EdgesOf(SyntaxTree tree, SemanticModel model)
    {
        foreach (var name in tree.GetRoot().DescendantNodes().OfType<SimpleNameSyntax>())
        {
            if (SliceOf(model.GetEnclosingSymbol(name.SpanStart)) is not { } from) from = SliceOfFile(tree);
            foreach (var to in SlicesMeant(name, model))
            {
                if (from is not null && to != from) yield return new Edge(from, to, $"{tree.FilePath}:{LineOf(name)}");
            }
        }
    }

    private static IEnumerable<string> SlicesMeant(SimpleNameSyntax name, SemanticModel model)
    {
        var info = model.GetSymbolInfo(name);
        var symbols = info.Symbol is { } one ? [one] : info.CandidateSymbols;
        var types = new[] { model.GetTypeInfo(name).Type, model.GetTypeInfo(name).ConvertedType };
        return symbols.Concat(types.OfType<ISymbol>()).Select(SliceOf).OfType<string>().Distinct();
    }

    private static string? SliceOf(ISymbol? symbol)
    {
        if (symbol is IAliasSymbol alias) symbol = alias.Target;
        if (symbol is IArrayTypeSymbol array) symbol = array.ElementType;
        var space = symbol as INamespaceSymbol ?? symbol?.ContainingNamespace;
        while (space is { IsGlobalNamespace: false })
        {
            if (space.ContainingNamespace is { Name: Product, ContainingNamespace.IsGlobalNamespace: true }) return space.Name;
            space = space.ContainingNamespace;
        }

        return null;
    }

    // Usings at the top of a file stand in no namespace; they belong to the one the file declares.
    private static string? SliceOfFile(SyntaxTree tree)
    {
        var space = tree.GetRoot().DescendantNodes().OfType<BaseNamespaceDeclarationSyntax>().FirstOrDefault()?.Name.ToString().Split('.');
        return space is [Product, var slice, ..] ? slice : tree.FilePath.Split('/') is ["src", Product, var folder, _, ..] ? folder : null;
    }

    private static string File(string where) => where[..where.LastIndexOf(':')];

    private static int LineOf(SyntaxNode node) => node.GetLocation().GetLineSpan().StartLinePosition.Line + 1;
}
