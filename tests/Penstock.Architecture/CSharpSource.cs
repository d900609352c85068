using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Penstock.Architecture;

/// <summary>Rules that one C# file keeps or breaks by itself.</summary>
internal static class CSharpSource
{
    public static readonly CSharpParseOptions Options = new(LanguageVersion.Preview, DocumentationMode.None);

    /// <summary>Classes that could be inherited from though nobody said so. Parts of one class count together.</summary>
    public static IEnumerable<Breach> OpenClasses(IEnumerable<SourceFile> files)
    {
        var classes = files.SelectMany(file => Declarations(file).Select(type => (file.Path, Type: type)));
        foreach (var parts in classes.GroupBy(part => FullName(part.Type)))
        {
            var closed = parts.SelectMany(part => part.Type.Modifiers)
                .Any(word => word.Kind() is SyntaxKind.SealedKeyword or SyntaxKind.StaticKeyword or SyntaxKind.AbstractKeyword);
            if (!closed) yield return new Breach(parts.First().Path, $"class {parts.Key} is neither sealed, static nor abstract");
        }
    }

    /// <summary>Methods, local functions and accessors of more than <paramref name="most"/> lines, by the lines of their body.</summary>
    public static IEnumerable<(string Name, int Lines)> LongMethods(SourceFile file, int most)
    {
        var root = CSharpSyntaxTree.ParseText(file.Text, Options).GetRoot();
        foreach (var node in root.DescendantNodes())
        {
            SyntaxNode? body = node switch
            {
                BaseMethodDeclarationSyntax method => (SyntaxNode?)method.Body ?? method.ExpressionBody,
                LocalFunctionStatementSyntax function => (SyntaxNode?)function.Body ?? function.ExpressionBody,
                AccessorDeclarationSyntax accessor => (SyntaxNode?)accessor.Body ?? accessor.ExpressionBody,
                _ => null,
            };
            if (body is null) continue;

            var span = body.GetLocation().GetLineSpan();
            var lines = span.EndLinePosition.Line - span.StartLinePosition.Line + 1 - (body is BlockSyntax ? 2 : 0);
            if (lines > most) yield return (NameOf(node), lines);
        }
    }

    private static IEnumerable<TypeDeclarationSyntax> Declarations(SourceFile file) =>
        CSharpSyntaxTree.ParseText(file.Text, Options).GetRoot().DescendantNodes().OfType<TypeDeclarationSyntax>()
            .Where(type => type is ClassDeclarationSyntax || (type is RecordDeclarationSyntax && !type.IsKind(SyntaxKind.RecordStructDeclaration)));

    private static string FullName(TypeDeclarationSyntax type)
    {
        var outer = type.Ancestors().Select(node => node switch
        {
            BaseNamespaceDeclarationSyntax space => space.Name.ToString(),
            TypeDeclarationSyntax around => around.Identifier.Text,
            _ => null,
        }).OfType<string>().Reverse();
        return string.Join('.', [.. outer, type.Identifier.Text + (type.Arity > 0 ? $"`{type.Arity}" : "")]);
    }

    private static string NameOf(SyntaxNode node) => node switch
    {
        MethodDeclarationSyntax method => method.Identifier.Text,
        ConstructorDeclarationSyntax constructor => constructor.Identifier.Text,
        LocalFunctionStatementSyntax function => function.Identifier.Text,
        AccessorDeclarationSyntax { Parent.Parent: PropertyDeclarationSyntax property } => property.Identifier.Text,
        _ => node.Kind().ToString(),
    };
}
